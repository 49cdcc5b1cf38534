"""Settings as people write them: where each one stands, what is wrong with it and how to fix it, what is in force."""
