"""The inbox: sessions of batches that wait for a person's reply, and what goes on after one."""
