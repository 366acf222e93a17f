"""Run by Alembic with the connection that `migrate` opened; its transaction is the caller's."""

from alembic import context

# SQLite cannot alter most things in place: batch mode copies and moves.
context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
