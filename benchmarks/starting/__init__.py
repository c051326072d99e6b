"""What a search gains from an earlier one (`start_from`), and what it loses where that was of no use."""
