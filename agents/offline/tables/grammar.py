def speaks_of_tables(statement):
    return False
