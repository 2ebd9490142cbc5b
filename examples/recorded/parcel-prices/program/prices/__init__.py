"""The parcel price calculator of the Harbour Couriers."""
