"""The demo city: invented residents, real feeds, known truth."""
