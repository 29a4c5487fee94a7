"""Changes that no gradient makes: dividing a space, drawing weights anew."""
