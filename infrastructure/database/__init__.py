"""PostgreSQL: roles and rights, migrations of the tables that are not projections, engines."""
