"""All the SQL, one module a table; functions read with their module: `checks.by_code`.

Functions that write take the connection that `Database.transaction` hands out, and
commit with it.
"""
