"""What users give a training that cannot be, found where it is and said in words."""
