"""Minutes: recording → transcript → speakers → minutes → documents."""
