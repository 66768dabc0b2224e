--- What the specs of TLS share.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local certificates = require "spec.support.certificates"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"

local sealed = {}

local option = certificates.option

--- Waits for a line in the log: a connection ends a moment before the log says why.
function sealed.told(text)
	assert(raw.poll(function()
		return log.mentions(text) > 0
	end), "the log does not say: " .. text .. "\n" .. log.text())
end

--- Waits until so many handshakes are under way.
function sealed.await_handshakes(count)
	node.eventually(function()
		return cluster.stats().handshakes == count
	end, count .. " handshakes")
end

--- A handle of its own with the given option on a listener with another one.
function sealed.pair(theirs, ours)
	local listener = node.listen(nil, nil, { tls = theirs })
	return node.connect(listener.addr, { tls = ours, shared = false }), listener
end

--- Demands that a call gets no further than a reason that has a text in it.
function sealed.fails(peer, text)
	local answer, why = cluster.call(peer, 1, "x")
	local port = not answer and why:match("^connect 127%.0%.0%.1:(%d+): ")
	if port ~= peer.addr:match("%d+$") or not why:find(text, 1, true) then
		error(("wanted %q, got %s, %s"):format(text, tostring(answer), tostring(why)), 2)
	end
end

--- The bytes of a client's hello, as a raw peer is given them.
function sealed.hello()
	local server = raw.listen()
	node.serve({ timeout = 20 })
	local peer = node.connect(server.addr, { tls = option("client"), shared = false })
	node.serve()
	local there = server:accept()
	node.eventually(function()
		there:pull()
		return #there.arrived > 100
	end, "a hello")
	cluster.close(peer)
	return there.arrived
end

--- Puts a relay of bytes before a listener: its address, and how many it has passed on, to the listener and
--- back. `pass` passes on some, where they are not to arrive as they are.
---@param pass? fun(to: table, bytes: string, back: boolean)
function sealed.relay(listener, pass)
	local server, passed = raw.listen(), { [true] = 0, [false] = 0 }
	task.fork(function()
		local there = server:accept()
		local here = raw.connect(listener.addr)
		while not (there.ended or here.ended) do
			for from, to in pairs({ [there] = here, [here] = there }) do
				from:pull()
				local bytes, back = from.arrived, from == here
				if #bytes > 0 then
					from.arrived = ""
					passed[back] = passed[back] + #bytes
					if pass then
						pass(to, bytes, back)
					else
						to:send(bytes)
					end
				end
			end
			time.sleep(1)
		end
		there:close()
		here:close()
	end)
	return server.addr, passed
end

return sealed
