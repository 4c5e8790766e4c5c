"""How checks and the server fare, in numbers: for Prometheus, status/ and pages."""
