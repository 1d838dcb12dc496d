"""The connectors' tables: all SQL of the connectors is here."""
