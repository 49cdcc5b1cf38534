"""How much of a meeting's decisions, tasks and open questions the minutes find, and what that costs."""
