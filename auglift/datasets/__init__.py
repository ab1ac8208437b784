"""Raw dataset → sequences of annotated people; one file per dataset."""
