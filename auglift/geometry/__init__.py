"""Pure maths on poses and depth (numpy, scipy); knows no file."""
