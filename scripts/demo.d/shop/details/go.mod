module details

go 1.19
