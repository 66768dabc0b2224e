-- HTTP in front of a cluster of workers: `POST /upper` with a body asks a worker for `upper`, and what
-- that answers is the response. lua-http does the HTTP; the loop is cqueues', which it stands on.
--
-- Start it with the interpreter; under bin/silly there is a loop already.
--
-- usage: lua5.4 examples/http_gateway/gateway.lua PORT TIMEOUT_MS WORKER...

package.path = package.path .. ";" .. arg[0]:gsub("[^/]*$", "") .. "?.lua"

local cqueues = require "cqueues"
local headers = require "http.headers"
local http_server = require "http.server"

local cluster = require "silly.net.cluster"
local guest = require "guest"
local protocol = require "protocol"
local silly = require "silly"

local TIMEOUT = assert(tonumber(arg[2]), "which timeout, in milliseconds?")

-- What a request of the cluster has room for, by and large: bytes.
local LONGEST = 60000
-- For a client to send its request, and to take the response: seconds.
local PATIENCE = 10

local workers, turn = {}, 0

-- Asks the next worker in turn, or the first one behind it that can be reached. Nothing is asked twice:
-- after "timeout" and "closed" a worker may have done it.
local function ask(cmd, body)
	local answer, why = nil, "there is no worker"
	turn = turn % #workers + 1
	for offset = 0, #workers - 1 do
		local worker = workers[(turn + offset - 1) % #workers + 1]
		worker.peer = worker.peer or cluster.connect(worker.addr)
		answer, why = cluster.call(worker.peer, cmd, body)
		if answer or not why:find("^connect ") then
			break
		end
	end
	return answer, why
end

-- The response to a failed call.
local function response_to(why)
	if why == "timeout" then
		return { status = 504, text = "the worker did not answer in time" }
	elseif why == "closed" then
		return { status = 502, text = "the worker has gone meanwhile; it may have done it" }
	elseif why:find("^connect ") then
		return { status = 503, text = "no worker can be reached" }
	end
	return { status = 502, text = why }
end

-- The response to a request.
local function handle(request, stream)
	local path = (request:get ":path" or ""):match("^[^?]*")
	local cmd = protocol.commands[path:sub(2)]
	if not cmd then
		return { status = 404, text = "nothing here" }
	elseif request:get ":method" ~= "POST" then
		return { status = 405, text = "POST only" }
	end
	local body, problem = stream:get_body_chars(LONGEST + 1, PATIENCE)
	body = body or not problem and "" -- nothing and no reason: there is no body
	if not body then
		return { status = 408, text = "the body did not arrive" }
	elseif #body > LONGEST then
		return { status = 413, text = ("more than %d bytes"):format(LONGEST) }
	end
	-- A second more than the call itself takes at the most.
	local answer, why = guest.call(TIMEOUT / 1000 + 1, ask, cmd, body)
	return answer or response_to(why)
end

local function on_stream(_, stream)
	local request = stream:get_headers(PATIENCE)
	if not request then
		return -- it has gone
	end
	local response = handle(request, stream)
	local head = headers.new()
	head:append(":status", tostring(response.status))
	head:append("content-type", "text/plain")
	if response.status == 405 then
		head:append("allow", "POST")
	end
	if stream:write_headers(head, false, PATIENCE) then
		stream:write_body_from_string(response.text .. "\n", PATIENCE)
	end
end

cluster.serve {
	marshal = protocol.marshal,
	unmarshal = protocol.unmarshal,
	call = function() end, -- workers ask nothing
	close = function(worker)
		print("lost " .. worker.addr)
		io.stdout:flush()
	end,
	timeout = TIMEOUT,
}
for index = 3, #arg do
	workers[#workers + 1] = { addr = arg[index] }
end

local loop = cqueues.new()
guest.move_in(loop)
local server = assert(http_server.listen {
	cq = loop,
	host = "127.0.0.1",
	port = tonumber(arg[1]),
	onstream = on_stream,
	onerror = function(_, _, operation, why)
		io.stderr:write(("gateway: %s: %s\n"):format(operation, tostring(why)))
	end,
})
assert(server:listen())
local _, host, port = server:localname()
print(("gateway on %s:%d, pid %d"):format(host, port, silly.pid))
io.stdout:flush()
assert(loop:loop())
