"""Why a check has the status it has, and who was told."""
