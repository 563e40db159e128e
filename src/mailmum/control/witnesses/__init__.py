"""Public DNS lists that an account has chosen to ask about clients: their word, and how they fare.

Nobody is asked anything until somebody has chosen a list: who is asked learns whom one deals with.
"""
