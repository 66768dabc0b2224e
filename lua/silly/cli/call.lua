--- `silly call host:port cmd [data]`: one call from a shell.

local client = require "silly.cli.client"
local cluster = require "silly.net.cluster"
local codecs = require "silly.cli.codecs"
local options = require "silly.cli.options"

local call = {
	name = "call",
	usage = [[
usage: SILLY call [options] HOST:PORT CMD [DATA]

Asks a node once and prints its answer. CMD is a number, such as 7 or 0x07. DATA is empty if it is
left out, and "-" reads it from standard input.

  --codec raw     bytes as they are, a newline behind the answer (the default)
  --codec hex     hexadecimal digits, in pairs; spaces between them do not matter
  --codec json    raw, but both ways it must be JSON
  --codec zproto=FILE[:ANSWER]
                  DATA and the answer are JSON, and on the wire packed structs of the schema in
                  FILE. CMD may be the name of a struct with a tag. ANSWER is the struct of the
                  answer; without it, the one whose tag is one higher
  --timeout MS    milliseconds for all of it, 1 to 86400000 (5000)
]] .. client.USAGE .. [[

Status 0 with an answer. Status 1 and the reason on stderr: no connection, no answer in time, or
one that the codec does not understand. Status 2: a mistake in the command line.
]],
	options = client.options { codec = { default = "raw" } },
}

--- Reads the command line; what makes the call.
function call.prepare(first)
	local given, words = options.read(call, first)
	if #words > 3 then
		options.misused(call, "too many arguments; DATA with spaces must be quoted")
	end
	local codec, problem = codecs.open(given.codec)
	if not codec then
		options.misused(call, problem)
	end
	local peer = client.open(call, words[1], given)
	if not words[2] then
		options.misused(call, "which command? CMD is missing")
	end
	local cmd = options.integer(words[2], 0, client.LAST_CMD) or codec.number and codec.number(words[2])
	if not cmd then
		options.misused(call, "the codec knows no command " .. words[2])
	end
	local data = words[3] == "-" and io.read("*a") or words[3] or ""
	data, problem = codec.encode(cmd, data)
	if not data then
		options.misused(call, "DATA: " .. problem)
	end
	return function()
		local answer, why = cluster.call(peer, cmd, data)
		if not answer then
			return client.failed(call, client.explain(why))
		end
		local text
		text, why = codec.decode(cmd, answer)
		if not text then
			return client.failed(call, "the answer: " .. why)
		end
		io.write(text, "\n")
		return 0
	end
end

return call
