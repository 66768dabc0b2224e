-- A server that answers calls. Start it, and then client.lua with the address that it prints:
--
--   bin/silly examples/request_response/server.lua
--   bin/silly examples/request_response/client.lua 127.0.0.1:40123
--
-- Without an address of its own as argument it lets the system choose a port. It runs until it is
-- interrupted. With one client it prints:
--
-- Prints:
--   listening on 127.0.0.1:<port>
--   127.0.0.1:<port> is here
--   greet Ada
--   add 1 + 2 + 3
--   add 10 + 1
--   add 20 + 2
--   add 30 + 3
--   note: nobody answers this
--   quiet, because it tests patience
--   a client has left

package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path

local cluster = require "silly.net.cluster"
local protocol = require "protocol"

-- One function for each message. What it returns is the answer; it runs as a task of its own, so it
-- may call other nodes or sleep, and no other request waits for it meanwhile.
local handlers = {}

function handlers.greet(body)
	print("greet " .. body.name)
	return { text = "Hello, " .. body.name .. "!" }
end

function handlers.add(body)
	print("add " .. table.concat(body.numbers, " + "))
	local total = 0
	for _, number in ipairs(body.numbers) do
		total = total + number
	end
	return { total = total }
end

-- Nothing returned, nothing answered: right for what was only sent ...
function handlers.note(body)
	print("note: " .. body.text)
end

-- ... while whoever calls this waits until their own time is up.
function handlers.quiet(body)
	print("quiet, because " .. body.why)
end

cluster.serve {
	marshal = protocol.marshal,
	unmarshal = protocol.unmarshal,
	call = protocol.dispatch(handlers),
	accept = function(_, addr)
		print(addr .. " is here")
	end,
	close = function()
		print("a client has left")
	end,
}

local listener = assert(cluster.listen(arg[1] or "127.0.0.1:0"))
print("listening on " .. listener.addr)
