"""Values in, values out: no database, no network, no clock. Core imports only core and the price data."""
