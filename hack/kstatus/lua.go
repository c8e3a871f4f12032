package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

// scriptTime is how long Argo CD lets a script run (util/lua in its sources, read 2026-11).
const scriptTime = time.Second

// valid holds the states that a health check may return; Argo CD shows Unknown for any other.
var valid = map[string]bool{
	"Healthy": true, "Progressing": true, "Degraded": true, "Suspended": true, "Missing": true, "Unknown": true,
}

var scripted = map[string]func(script string, question []byte) (any, error){
	"health":   health,
	"discover": returned,
	"act":      returned,
	"express":  expressed,
}

func health(script string, question []byte) (any, error) {
	answer, err := returned(script, question)
	if err != nil {
		return nil, err
	}
	var found verdict
	if err := json.Unmarshal(answer.(json.RawMessage), &found); err != nil {
		return nil, err
	}
	if !valid[found.Status] {
		return nil, fmt.Errorf("the script returned the status %q, which Argo CD does not know", found.Status)
	}
	return found, nil
}

func returned(script string, question []byte) (any, error) {
	object, err := parse(question)
	if err != nil {
		return nil, err
	}
	state := sandbox()
	defer state.Close()
	deadline, cancel := context.WithTimeout(context.Background(), scriptTime)
	defer cancel()
	state.SetContext(deadline)
	state.SetGlobal("obj", toLua(state, object.Object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	answer := state.Get(-1)
	if answer.Type() != lua.LTTable {
		return nil, fmt.Errorf("the script returned a %s; Argo CD wants a table", answer.Type())
	}
	text, err := luajson.Encode(answer)
	return json.RawMessage(text), err
}

// sandbox opens what Argo CD opens for a script of the user's: no string, math or io library, and of os the clock only.
func sandbox() *lua.LState {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	libraries := []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
		{lua.OsLibName, openClock},
	}
	for _, library := range libraries {
		state.Push(state.NewFunction(library.open))
		state.Push(lua.LString(library.name))
		state.Call(1, 0)
	}
	return state
}

func openClock(state *lua.LState) int {
	lua.OpenOs(state)
	whole := state.GetGlobal(lua.OsLibName).(*lua.LTable)
	clock := state.NewTable()
	for _, name := range []string{"time", "date"} {
		clock.RawSetString(name, whole.RawGetString(name))
	}
	state.SetGlobal(lua.OsLibName, clock)
	state.Push(clock)
	return 1
}

// toLua turns parsed JSON into Lua's values; null becomes nil, so that its field is absent.
func toLua(state *lua.LState, value any) lua.LValue {
	switch known := value.(type) {
	case bool:
		return lua.LBool(known)
	case string:
		return lua.LString(known)
	case int64:
		return lua.LNumber(known)
	case float64:
		return lua.LNumber(known)
	case []any:
		table := state.NewTable()
		for _, item := range known {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for name, item := range known {
			table.RawSetString(name, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}
