"""Methods that train a network stage by stage against a teacher, one file each."""
