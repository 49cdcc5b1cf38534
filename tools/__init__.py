"""What developers and the set-up run: environments, schemas, recordings, screenshots."""
