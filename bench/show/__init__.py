"""Results as people read them: terminal, Markdown, pictures and the page. Nothing here estimates anything."""
