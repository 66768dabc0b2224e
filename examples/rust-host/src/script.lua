-- What the program runs. It plays both ends, which may as well be two programs: the one listens and
-- answers, the other asks.

-- A function in Rust: begins to load a map elsewhere, and later wakes the task that it was given.
local begin_loading = ...

local cluster = require "silly.net.cluster"
local task = require "silly.task"

local LOAD_MAP = 1

cluster.serve {
	marshal = function(_, cmd, body)
		return body and cmd, body
	end,
	unmarshal = function(_, _, data)
		return data
	end,
	-- A task of its own for each request: while it waits, the others go on.
	call = function(_, _, name)
		begin_loading(task.running(), name)
		return task.wait()
	end,
}

local listener = assert(cluster.listen("127.0.0.1:0"))

task.fork(function()
	local server = cluster.connect(listener.addr)
	print("script: asks for a map")
	print("script: " .. assert(cluster.call(server, LOAD_MAP, "harbour")))
	cluster.close(server)
	cluster.close(listener)
end)
