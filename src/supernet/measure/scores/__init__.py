"""What a subnet is worth: accuracy and loss, with statistics of its own."""
