"""Files and batches: uploads kept encrypted, and the durable runs of their lines through the one pipeline."""
