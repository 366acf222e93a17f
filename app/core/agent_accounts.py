"""Coding agents that open pulls under an account of their own, by GitHub's numeric id, which nobody else can have.

A branch's name or a trailer can be written by anybody and is no sign. Most agents' pulls are opened by people: this
finds the others, a lower bound.
"""

AGENT_ACCOUNTS = {
    198982749: "Copilot",
    209825114: "Claude",
    208546643: "claude-code-action",
    206951365: "Cursor",
    215057067: "Codex",
    199175422: "ChatGPT Codex",
    158243242: "Devin",
    176961590: "Gemini Code Assist",
    208079219: "Amazon Q Developer",
}
