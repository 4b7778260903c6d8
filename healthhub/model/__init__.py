"""What travels between the rooms: plain, frozen shapes without behaviour of their own."""
