"""What can be done with whole training sets: look at them, check them, write them in another form, choose a part."""
