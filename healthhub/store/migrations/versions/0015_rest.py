"""Revision 0015: a message may rest a moment before it is first tried, so that others come with it."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A pending message may have a time before which nobody takes it."""
    op.execute("alter table message_state drop constraint message_state_check")
    op.execute(
        """alter table message_state add constraint message_state_check check (
               case state when 'retry' then next_try is not null
                          when 'pending' then true
                          else next_try is null end) not valid"""
    )
    op.execute("alter table message_state validate constraint message_state_check")
