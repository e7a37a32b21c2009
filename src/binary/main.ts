/** Entry of the one-file `weft`: first where its files lie, then the command itself. */
import './place.js'
import '../cli/main.js'
