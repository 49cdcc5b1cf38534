"""The audit log: who asked which model with which prompt under which policy, in hash chains that anyone can check."""
