-- Calls the server of server.lua, whose address is the argument.
--
-- Prints:
--   greet: Hello, Ada!
--   add 1 2 3: 6
--   three calls at once: 11, 22, 33
--   send: true
--   quiet, for 100 ms: nil, timeout
--   a port where nobody listens: nil, connect 127.0.0.1:1: Connection refused

package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local protocol = require "protocol"

local server = arg[1] or error("which server? Give the address that server.lua prints")

cluster.serve {
	marshal = protocol.marshal,
	unmarshal = protocol.unmarshal,
	-- Both ends may ask; this one has no answers.
	call = function() end,
	timeout = 2000,
}

task.fork(function()
	-- The handle is good from now on: it connects whenever it is used and is not connected.
	local peer = cluster.connect(server)

	local answer = assert(cluster.call(peer, "greet", { name = "Ada" }))
	print("greet: " .. answer.text)

	answer = assert(cluster.call(peer, "add", { numbers = { 1, 2, 3 } }))
	print("add 1 2 3: " .. answer.total)

	-- Calls of several tasks share the connection; none waits for the others.
	local this, totals, left = task.running(), {}, 3
	for index = 1, 3 do
		task.fork(function()
			totals[index] = assert(cluster.call(peer, "add", { numbers = { index * 10, index } })).total
			left = left - 1
			if left == 0 then
				task.wakeup(this)
			end
		end)
	end
	task.wait()
	print("three calls at once: " .. table.concat(totals, ", "))

	print("send: " .. tostring(cluster.send(peer, "note", { text = "nobody answers this" })))

	-- What goes wrong out there is never raised: nil and a message. The fourth argument is this
	-- call's own limit, in milliseconds.
	local nothing, why = cluster.call(peer, "quiet", { why = "it tests patience" }, 100)
	print("quiet, for 100 ms: " .. tostring(nothing) .. ", " .. why)

	local nobody = cluster.connect("127.0.0.1:1")
	nothing, why = cluster.call(nobody, "greet", { name = "?" })
	print("a port where nobody listens: " .. tostring(nothing) .. ", " .. why)

	-- Nothing is left to happen after this, and so the program ends.
	cluster.close(nobody)
	cluster.close(peer)
end)
