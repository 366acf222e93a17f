"""The demo: App, Action and a GitHub on loopback together, so that anybody can see the whole story on one machine."""
