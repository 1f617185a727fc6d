"""What one network is: a function of its flat weight vector, and what training asks of it."""
