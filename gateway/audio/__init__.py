"""What is said in recordings: transcripts as values, their guarding, their forms (text, SRT, WebVTT, JSON)."""
