"""The Action without a server: prices the job itself and comments on its pull. Its only part with packages."""
