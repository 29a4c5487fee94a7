"""What a method makes of the user's supernet before it trains it."""
