def rules_in(statement):
    return ()
