from swapnas_ext.cli import main

main(prog_name="swapnas")
