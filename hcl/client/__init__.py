"""What runs beside the jobs: the standard library alone, for Python 3.9 and up."""
