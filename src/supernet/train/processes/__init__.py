"""The processes of a training: one alone or several, which hold the same weights or share them out."""
