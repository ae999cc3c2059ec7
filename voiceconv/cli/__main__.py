from voiceconv.cli import main

main()
