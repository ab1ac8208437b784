"""`python -m auglift` and `torchrun -m auglift`."""

from auglift.cli.main import main

if __name__ == "__main__":
    main()
