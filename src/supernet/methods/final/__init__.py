"""How a found cell is trained for use, as the papers that search cells report it."""
