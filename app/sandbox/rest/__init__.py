"""The REST operations of GitHub that the App uses: one file for each family, all behind one door."""
