"""What people see of their traffic: searched, followed live, summed up, and checked against.

Every query here takes a permission and asks the traffic database for that account alone; what it
gives is plain frozen values.  Traffic knows servers by number, people by name: both meet here.
"""
