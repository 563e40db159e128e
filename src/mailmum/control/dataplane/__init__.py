"""What the data plane's daemons are fed from the database, and what they hand back."""
