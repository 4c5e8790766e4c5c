"""The steps that bring a database to today's schema, in order; append only."""
