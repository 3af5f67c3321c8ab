from swapnas_ext.cli import main

main()
